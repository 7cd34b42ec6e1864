"""Run folders as files: which there are, how they do, what they tell, and the processes that train in them."""
