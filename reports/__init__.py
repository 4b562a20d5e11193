"""What a run leaves behind, made from verdicts and traces."""
