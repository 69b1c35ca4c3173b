"""A run in another form: what a person, or another library, can use without microgpt.

In: a run. Out: a file's content, or a folder's. Each target is a module: `html`, a page that
computes; `onnx`, `huggingface` and `safetensors`, the GPT alone, which `alone` takes out of a run.
"""
