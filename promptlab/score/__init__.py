"""From vectors to scores, weights, classifiers and judgements: the contest and what stands on it."""
