"""What a trained model says of single images and why, and what its graphs have in common."""
