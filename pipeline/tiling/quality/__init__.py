"""What spoils a tile: marks, folds, foreign colours, blur."""
