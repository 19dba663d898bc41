"""HTTP to calls and back, by botocore's service models: routes, parsing, constraints, responses, errors, signatures."""
