"""What an answer leads to: results, bisections, trials, the outbox."""
