"""Cards (GPUs) of jobs: how many they ask for, which one a job has, what it used of it."""
