"""Contact store at run time: questions of the lanes, the view of results, feeds."""
