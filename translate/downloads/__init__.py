"""Getting files from elsewhere: downloads that can go on, archives that cannot do harm, and where all of it is kept."""
