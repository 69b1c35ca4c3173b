"""Inside a GPT while it reads a text: attention, residual stream, embeddings, computation graph.

In: a config, matrices by name, tokens. Out: numbers to look at. The model is `model.gpt`, which is
written once: here it is run with operations that keep what passes through them (`observed`), or
that say which part of the model made each `Value` (`graph`). `heads` says what a head looks at,
`oneloss` has the gradient of one position's loss and a step on it, `plane` shows embeddings in two
dimensions, and `outline` folds a graph by parts of the model.
`difference` and `nudged` hold derivatives against small changes, `moments` follows an optimizer.
"""
