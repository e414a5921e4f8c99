"""Settlement: what an answer leads to (results, bisections, trials), and the outbox."""
