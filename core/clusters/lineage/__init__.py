"""How clusters of one partition continue in another: matching, annotations, differences."""
