"""What a network of any kind is: linear maps between stages of neurons."""
