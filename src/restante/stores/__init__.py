"""What remembers. The only room where SQL is spoken: one package per database."""
