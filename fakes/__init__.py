"""The internet that fails: machines that speak a protocol and ask the model what to say."""
