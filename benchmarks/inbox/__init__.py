"""What the rows about accepting events share: the events, the process that sends them, the servers that take them."""
