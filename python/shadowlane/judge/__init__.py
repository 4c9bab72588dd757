"""The judge: a language model that looks at the pairs in doubt, blind to which answer is whose."""
