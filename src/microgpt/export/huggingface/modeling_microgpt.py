"""A GPT that microgpt trained, for Hugging Face transformers: written to be read.

In: ids (B, T), each row a text that begins with the id of its ends (bos). Out: the logits of the
next id at every position, and the loss if labels are given. A tensor's name ends in its shape: B
rows, T positions, S positions attended to, D width, H heads, K width per head, V ids.
"""

import dataclasses
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    DynamicCache,
    GenerationMixin,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration_microgpt import MicroGPTConfig

# Its name was another one in older versions of transformers.
_FIELDS = [field.name for field in dataclasses.fields(CausalLMOutputWithPast)]
_CACHE = "cache" if "cache" in _FIELDS else "past_key_values"


class MicroGPTLayer(nn.Module):
    """Attention and an MLP, each added to what it has read."""

    def __init__(self, config, index):
        super().__init__()
        D = config.n_embd
        self.config, self.index = config, index
        self.attn_wq = nn.Linear(D, D, bias=False)
        self.attn_wk = nn.Linear(D, D, bias=False)
        self.attn_wv = nn.Linear(D, D, bias=False)
        self.attn_wo = nn.Linear(D, D, bias=False)
        self.mlp_fc1 = nn.Linear(D, 4 * D, bias=False)
        self.mlp_fc2 = nn.Linear(4 * D, D, bias=False)

    def forward(self, x_BTD, is_read_BHTS, rotations, cache):
        """Return x_BTD after this layer; the cache gets its keys and values."""
        x_BTD = x_BTD + self._attention(self._norm(x_BTD), is_read_BHTS, rotations, cache)
        h_BTF = F.relu(self.mlp_fc1(self._norm(x_BTD)))
        if self.config.activation == "squared-relu":
            h_BTF = h_BTF * h_BTF
        return x_BTD + self.mlp_fc2(h_BTF)

    def _attention(self, x_BTD, is_read_BHTS, rotations, cache):
        B, T, D = x_BTD.shape
        heads = (B, T, self.config.n_head, D // self.config.n_head)
        q, k, v = (
            matrix(x_BTD).view(heads).transpose(1, 2)
            for matrix in (self.attn_wq, self.attn_wk, self.attn_wv)
        )
        if self.config.qk_norm:
            q, k = self._norm(q), self._norm(k)
        if rotations is not None:
            q, k = rotated(q, *rotations), rotated(k, *rotations)
        if cache is not None:
            k, v = cache.update(k, v, self.index)
        x_BHTK = F.scaled_dot_product_attention(q, k, v, attn_mask=is_read_BHTS)
        return self.attn_wo(x_BHTK.transpose(1, 2).reshape(B, T, D))

    def _norm(self, x):
        return rmsnorm(x, self.config.epsilon)


class MicroGPTForCausalLM(PreTrainedModel, GenerationMixin):
    """The model: embeddings, layers, and logits."""

    config_class = MicroGPTConfig
    _no_split_modules = ["MicroGPTLayer"]  # noqa: RUF012
    _supports_sdpa = True

    def __init__(self, config):
        super().__init__(config)
        V, D = config.vocab_size, config.n_embd
        self.wte = nn.Embedding(V, D)
        self.wpe = nn.Embedding(config.block_size, D) if config.position == "learned" else None
        self.layers = nn.ModuleList(MicroGPTLayer(config, i) for i in range(config.n_layer))
        self.lm_head = nn.Linear(D, V, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        """Return the embedding of ids."""
        return self.wte

    def forward(
        self,
        input_ids,
        attention_mask=None,
        position_ids=None,
        past_key_values=None,
        cache=None,
        labels=None,
        use_cache=None,
        **kwargs,
    ):
        """Compute the logits of the next id at every position.

        Args:
            input_ids: (B, T), at most block_size; with labels one more, which is not read.
            attention_mask: (B, S), 0 where a row is padded, on the left or on the right.
            position_ids: (B, T); None: counted from each row's first id that is not padding.
            past_key_values: the same as cache, in older versions of transformers.
            cache: the keys and values of earlier ids.
            labels: (B, T), the ids again, -100 where there is to be no loss. The loss is the mean
                of -log p, nats an id, of all but each row's first.
            use_cache: whether to return the keys and values.
            kwargs: for the loss, as the library's trainer gives them.
        """
        cache = past_key_values if cache is None else cache
        if labels is not None and input_ids.shape[1] == self.config.block_size + 1:
            input_ids = input_ids[:, :-1]  # the last id is predicted, and predicts nothing
            attention_mask = None if attention_mask is None else attention_mask[:, :-1]
        if cache is None and (self.config.use_cache if use_cache is None else use_cache):
            cache = DynamicCache()
        T, past = input_ids.shape[1], 0 if cache is None else cache.get_seq_length()
        if past + T > self.config.block_size:
            raise ValueError(
                f"input_ids must be at most {self.config.block_size}, the model's block, earlier "
                f"ones included; got {past + T}."
            )
        is_read, positions_BT = _read(past, T, attention_mask, input_ids.device)
        positions_BT = positions_BT if position_ids is None else position_ids
        x_BTD, rotations = self.wte(input_ids), None
        if self.wpe is not None:
            x_BTD = x_BTD + self.wpe(positions_BT)
        else:
            tables = _rotations(self.config, x_BTD.device, x_BTD.dtype)
            rotations = [table_TK[positions_BT].unsqueeze(1) for table_TK in tables]
        x_BTD = rmsnorm(x_BTD, self.config.epsilon)
        for layer in self.layers:
            x_BTD = layer(x_BTD, is_read, rotations, cache)
        if self.config.final_norm:
            x_BTD = rmsnorm(x_BTD, self.config.epsilon)
        logits_BTV = self.lm_head(x_BTD)
        loss = None
        if labels is not None:
            targets = labels[:, 1:].contiguous()
            predicted = logits_BTV[:, : targets.shape[1]].contiguous()
            V = self.config.vocab_size
            loss = self.loss_function(predicted, None, V, shift_labels=targets, **kwargs)
        return CausalLMOutputWithPast(loss=loss, logits=logits_BTV, **{_CACHE: cache})

    def generate(
        self,
        inputs=None,
        *rest,
        input_ids=None,
        attention_mask=None,
        stopping_criteria=(),
        **kwargs,
    ):
        """Draw the rest of texts, until they end or the block is full.

        A prompt's end, which the tokenizer adds, is not read; what is returned begins with the
        whole input, as that of other models does. Rows of different lengths must be padded on the
        left, as the tokenizer in this folder does.
        """
        ids_BT = inputs if input_ids is None else input_ids
        if attention_mask is not None and not attention_mask[:, -1].all():
            raise ValueError('prompts must be padded on the left: padding_side="left".')
        is_ended = ids_BT is not None and ids_BT.shape[1] > 1
        is_ended = is_ended and bool((ids_BT[:, -1] == self.config.bos_token_id).all())
        if is_ended:
            ids_BT = ids_BT[:, :-1]
            attention_mask = None if attention_mask is None else attention_mask[:, :-1]
        if attention_mask is not None:
            kwargs["attention_mask"] = attention_mask
        stops = StoppingCriteriaList([*stopping_criteria, BlockIsFull(self.config.block_size)])
        found = super().generate(ids_BT, *rest, stopping_criteria=stops, **kwargs)
        if is_ended:
            texts, T = getattr(found, "sequences", found), ids_BT.shape[1]
            ends = texts.new_full((len(texts), 1), self.config.bos_token_id)
            texts = torch.cat([texts[:, :T], ends, texts[:, T:]], dim=1)
            if torch.is_tensor(found):
                return texts
            found.sequences = texts
        return found


class BlockIsFull(StoppingCriteria):
    """Ends texts that have been drawn up to the last id that the model can predict."""

    def __init__(self, block_size):
        self.block_size = block_size

    def __call__(self, input_ids, scores, **kwargs):
        """Return for each row whether it has ended."""
        full = input_ids.shape[1] > self.block_size
        return torch.full((len(input_ids),), full, device=input_ids.device, dtype=torch.bool)


def rmsnorm(x, epsilon):
    """Divide each row by sqrt(mean square + epsilon)."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon)


def rotated(x_BHTK, cos_B1TK, sin_B1TK):
    """Rotate each pair (i, i + K / 2) of every head."""
    x, y = x_BHTK.chunk(2, dim=-1)
    return torch.cat([x * cos_B1TK + y * sin_B1TK, y * cos_B1TK - x * sin_B1TK], dim=-1)


def _rotations(config, device, dtype):
    return _tables(
        config.block_size, config.n_embd // config.n_head // 2, config.rotary_base, device, dtype
    )


@lru_cache(maxsize=8)
def _tables(length, half, base, device, dtype):
    """Return the cosines and the sines of every position's angles."""
    with torch.inference_mode(False):  # they are kept, and a training may use them later
        speeds_K = base ** (-torch.arange(half, dtype=torch.float64) / half)
        angles_TK = torch.arange(length, dtype=torch.float64)[:, None] * speeds_K
        return tuple(part.to(device, dtype) for part in (angles_TK.cos(), angles_TK.sin()))


def _read(past, T, attention_mask, device):
    """Return which positions each one reads, and where in its text each of the last T stands."""
    columns_S = torch.arange(past + T, device=device)
    rows_T1 = columns_S[past:, None]
    is_read = columns_S <= rows_T1
    if attention_mask is None:
        return is_read, rows_T1.T
    if attention_mask.shape[1:] != columns_S.shape:
        raise ValueError(
            f"attention_mask must be (batch, {past + T}); got {tuple(attention_mask.shape)}."
        )
    is_text_BS = attention_mask.to(torch.bool)
    # Padding reads itself: a position that reads nothing would be NaN.
    is_read = is_read & is_text_BS[:, None, None, :] | (columns_S == rows_T1)
    return is_read, (is_text_BS.cumsum(-1) - 1).clamp(min=0)[:, past:]
