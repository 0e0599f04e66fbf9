"""A small GPT that learns to sort (after Karpathy's minGPT demonstration)."""

import math

import autodiff as torch
import nn
import nn.functional as F
import optim

DIGITS, LENGTH, WIDTH, HEADS, LAYERS = 3, 6, 32, 4, 2


class CausalSelfAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.c_attn = nn.Linear(WIDTH, 3 * WIDTH)
        self.c_proj = nn.Linear(WIDTH, WIDTH)
        size = 2 * LENGTH
        self.register_buffer("mask", torch.tril(torch.ones(size, size)).view(1, 1, size, size))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(WIDTH, dim=2)
        k = k.view(B, T, HEADS, C // HEADS).transpose(1, 2)
        q = q.view(B, T, HEADS, C // HEADS).transpose(1, 2)
        v = v.view(B, T, HEADS, C // HEADS).transpose(1, 2)
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.mask[:, :, :T, :T] == 0, float("-inf"))
        y = F.softmax(att, dim=-1) @ v
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1 = nn.LayerNorm(WIDTH)
        self.attn = CausalSelfAttention()
        self.ln_2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.ModuleDict(
            dict(
                c_fc=nn.Linear(WIDTH, 4 * WIDTH),
                act=nn.GELU(approximate="tanh"),
                c_proj=nn.Linear(4 * WIDTH, WIDTH),
                dropout=nn.Dropout(0.05),
            )
        )

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        m = self.mlp
        return x + m.dropout(m.c_proj(m.act(m.c_fc(self.ln_2(x)))))


class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.transformer = nn.ModuleDict(
            dict(
                wte=nn.Embedding(DIGITS, WIDTH),
                wpe=nn.Embedding(2 * LENGTH, WIDTH),
                h=nn.ModuleList([Block() for _ in range(LAYERS)]),
                ln_f=nn.LayerNorm(WIDTH),
            )
        )
        self.lm_head = nn.Linear(WIDTH, DIGITS, bias=False)
        self.transformer.wte.weight = self.lm_head.weight
        self.apply(self._init_weights)
        for name, p in self.named_parameters():
            if name.endswith("c_proj.weight"):
                torch.nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * LAYERS))

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            torch.nn.init.normal_(module.weight, mean=0.0, std=0.02)

    def configure_optimizers(self, weight_decay, lr):
        params = {name: p for name, p in self.named_parameters() if p.requires_grad}
        decay = [p for p in params.values() if p.dim() >= 2]
        no_decay = [p for p in params.values() if p.dim() < 2]
        groups = [
            {"params": decay, "weight_decay": weight_decay},
            {"params": no_decay, "weight_decay": 0.0},
        ]
        return optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), fused=False)

    def forward(self, tokens, targets=None):
        _, T = tokens.shape
        pos = torch.arange(0, T, dtype=torch.long, device=tokens.device).unsqueeze(0)
        x = self.transformer.wte(tokens) + self.transformer.wpe(pos)
        for block in self.transformer.h:
            x = block(x)
        logits = self.lm_head(self.transformer.ln_f(x))
        if targets is None:
            return logits, None
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
        return logits, loss

    @torch.no_grad()
    def generate(self, tokens, new, temperature=1.0, top_k=None):
        for _ in range(new):
            logits, _ = self(tokens)
            logits = logits[:, -1, :] / temperature
            if top_k is not None:
                v, _ = torch.topk(logits, top_k)
                logits[logits < v[:, [-1]]] = -float("Inf")
            nxt = torch.multinomial(F.softmax(logits, dim=-1), num_samples=1)
            tokens = torch.cat((tokens, nxt), dim=1)
        return tokens


def sorting_batch(n):
    x = torch.randint(DIGITS, size=(n, LENGTH), dtype=torch.long)
    whole = torch.cat((x, torch.sort(x, dim=1)[0]), dim=1)
    inputs, targets = whole[:, :-1].clone(), whole[:, 1:].clone()
    targets[:, : LENGTH - 1] = -1
    return inputs, targets


def main(seed=0, iterations=180, compiled=False, warmup=20):
    """The metric: the share of sequences sorted without a mistake."""
    torch.manual_seed(seed)
    model = GPT()
    optimizer = model.configure_optimizers(weight_decay=0.1, lr=5e-3)

    def factor(step):
        if step < warmup:
            return (step + 1) / warmup
        progress = (step - warmup) / max(1, iterations - warmup)
        return 0.1 + 0.9 * 0.5 * (1.0 + math.cos(math.pi * progress))

    scheduler = optim.lr_scheduler.LambdaLR(optimizer, factor)

    def train_step(x, y):
        _, loss = model(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    if compiled:
        train_step = torch.compile(train_step)

    losses = []
    for _ in range(iterations):
        losses.append(train_step(*sorting_batch(32)).item())
        scheduler.step()

    model.eval()
    x = torch.randint(DIGITS, (200, LENGTH))
    out = model.generate(x, LENGTH, top_k=1)[:, LENGTH:]
    return losses, (out == x.sort(dim=1).values).all(dim=1).to(torch.float32).mean().item()
