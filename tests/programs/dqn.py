"""Catching a falling ball by a deep Q-network (Mnih et al. 2015), with a double-Q target."""

import copy
import random
from collections import deque, namedtuple

import autodiff as torch
import nn
import nn.functional as F
import optim

Transition = namedtuple("Transition", ("state", "action", "reward", "next_state", "done"))


class Catch:
    """A ball falls through a grid; the paddle in the last row moves left, stays, or right."""

    def __init__(self, rng, rows=5, columns=4):
        self.rng, self.rows, self.columns = rng, rows, columns

    def reset(self):
        self.row, self.column = 0, self.rng.randrange(self.columns)
        self.paddle = self.rng.randrange(self.columns)
        return self._state()

    def step(self, action):
        self.paddle = min(max(self.paddle + action - 1, 0), self.columns - 1)
        self.row += 1
        done = self.row == self.rows - 1
        reward = (1.0 if self.paddle == self.column else -1.0) if done else 0.0
        return self._state(), reward, done

    def _state(self):
        return [
            self.row / self.rows,
            *(float(i == self.column) for i in range(self.columns)),
            *(float(i == self.paddle) for i in range(self.columns)),
        ]


class ReplayMemory:
    def __init__(self, capacity, rng):
        self.memory, self.rng = deque(maxlen=capacity), rng

    def push(self, *args):
        self.memory.append(Transition(*args))

    def sample(self, batch_size):
        return self.rng.sample(self.memory, batch_size)

    def __len__(self):
        return len(self.memory)


class QNet(nn.Module):
    def __init__(self, inputs=9, actions=3):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(inputs, 48), nn.ReLU())
        self.value = nn.Linear(48, 1)
        self.advantage = nn.Linear(48, actions)

    def forward(self, x):
        h = self.body(x)
        advantage = self.advantage(h)
        return self.value(h) + advantage - advantage.mean(dim=-1, keepdim=True)


def main(seed=0, episodes=250, compiled=False, gamma=0.95, batch_size=48, tau=0.05):
    """The metric: mean reward of the greedy policy, between -1 and 1."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    env, memory = Catch(rng), ReplayMemory(2000, rng)
    policy = QNet()
    target = copy.deepcopy(policy)
    for p in target.parameters():
        p.requires_grad = False
    optimizer = optim.AdamW(policy.parameters(), lr=4e-3, amsgrad=True)

    def learn(state, action, reward, next_state, done):
        q = policy(state).gather(1, action).squeeze(1)
        with torch.no_grad():
            best = policy(next_state).argmax(1, keepdim=True)
            following = target(next_state).gather(1, best).squeeze(1)
            expected = reward + gamma * following * ~done
        loss = F.smooth_l1_loss(q, expected)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(policy.parameters(), 10)
        optimizer.step()
        with torch.no_grad():
            for p_target, p in zip(target.parameters(), policy.parameters()):
                p_target.data.mul_(1 - tau)
                p_target.data.add_(tau * p.data)
        return loss

    if compiled:
        learn = torch.compile(learn)

    def act(state, epsilon):
        if torch.rand(1).item() < epsilon:
            return int(torch.randint(0, 3, (1,)))
        with torch.no_grad():
            return policy(torch.tensor(state).unsqueeze(0)).max(1).indices.item()

    losses = []
    for episode in range(episodes):
        state, done = env.reset(), False
        while not done:
            action = act(state, max(0.05, 1 - episode / 100))
            next_state, reward, done = env.step(action)
            memory.push(state, action, reward, next_state, done)
            state = next_state
            if len(memory) >= batch_size:
                batch = Transition(*zip(*memory.sample(batch_size)))
                loss = learn(
                    torch.tensor(batch.state),
                    torch.tensor(batch.action).unsqueeze(1),
                    torch.tensor(batch.reward),
                    torch.tensor(batch.next_state),
                    torch.tensor(batch.done),
                )
                losses.append(loss.item())

    total = 0.0
    for _ in range(50):
        state, done = env.reset(), False
        while not done:
            state, reward, done = env.step(act(state, 0.0))
            total += reward
    return losses, total / 50
