"""The settings of a GPT that microgpt trained, for Hugging Face transformers."""

from transformers import PretrainedConfig


class MicroGPTConfig(PretrainedConfig):
    """What `MicroGPTForCausalLM` computes.

    Args:
        vocab_size: V, the number of ids.
        block_size: the most ids that the model reads at once.
        n_layer: layers, each of attention and an MLP.
        n_head: heads of attention a layer.
        n_embd: D, the width.
        activation: of the MLP: "relu" or "squared-relu".
        position: "learned", a vector for each position, or "rotary".
        qk_norm: whether queries and keys are normalised, head by head.
        final_norm: whether what `lm_head` reads is normalised.
        epsilon: added to the mean square in every norm.
        rotary_base: the slowest pair of a head turns about 1 / base as fast as the first.
    """

    model_type = "microgpt"
    attribute_map = {  # noqa: RUF012  (so that it is no field of the settings)
        "hidden_size": "n_embd",
        "num_hidden_layers": "n_layer",
        "num_attention_heads": "n_head",
        "max_position_embeddings": "block_size",
    }

    def __init__(
        self,
        vocab_size=27,
        block_size=16,
        n_layer=1,
        n_head=4,
        n_embd=16,
        activation="relu",
        position="learned",
        qk_norm=False,
        final_norm=False,
        epsilon=1e-5,
        rotary_base=100.0,
        use_cache=True,
        tie_word_embeddings=False,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.block_size = block_size
        self.n_layer = n_layer
        self.n_head = n_head
        self.n_embd = n_embd
        self.activation = activation
        self.position = position
        self.qk_norm = qk_norm
        self.final_norm = final_norm
        self.epsilon = epsilon
        self.rotary_base = rotary_base
        self.use_cache = use_cache
        super().__init__(tie_word_embeddings=tie_word_embeddings, **kwargs)
