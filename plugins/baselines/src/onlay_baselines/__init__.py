"""The methods that papers compare against, each in a file of its own."""
