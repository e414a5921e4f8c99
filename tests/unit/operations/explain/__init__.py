"""`explain`: decisions of the router with what each rule said."""
