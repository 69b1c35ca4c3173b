"""What commands show things with: streams, colours, tables, bars, pictures."""
