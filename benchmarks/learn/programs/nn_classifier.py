# A PyTorch program that runs on tapegrad once its import lines are changed; nothing else is.
#
# From Morten Hjorth-Jensen, "Advanced machine learning and data analysis for the physical sciences",
# lecture notes of January 29 - February 2 (2024), section "And using PyTorch". (c) 1999-2024 Morten
# Hjorth-Jensen, released under the Creative Commons Attribution-NonCommercial 4.0 licence
# (https://creativecommons.org/licenses/by-nc/4.0/), which holds for this file too. Changes: the
# indentation where the PDF had lost it, and the three imports that named torch.
#
# fmt: off
# ruff: noqa

# Simple neural-network (NN) code using pytorch
import numpy as np
import autodiff as torch
import nn
import optim

# load the dataset, split into input (X) and output (y) variables
dataset = np.loadtxt('yourdata.csv', delimiter=',')
X = dataset[:,0:8]
y = dataset[:,8]

X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32).reshape(-1, 1)

# define the model
class NNClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(8, 12)
        self.act1 = nn.ReLU()
        self.hidden2 = nn.Linear(12, 8)
        self.act2 = nn.ReLU()
        self.output = nn.Linear(8, 1)
        self.act_output = nn.Sigmoid()
    def forward(self, x):
        x = self.act1(self.hidden1(x))
        x = self.act2(self.hidden2(x))
        x = self.act_output(self.output(x))
        return x
model = NNClassifier()
print(model)
# train the model
loss_fn = nn.BCELoss() # binary cross entropy
optimizer = optim.Adam(model.parameters(), lr=0.001)
n_epochs = 100
batch_size = 10
for epoch in range(n_epochs):
    for i in range(0, len(X), batch_size):
        Xbatch = X[i:i+batch_size]
        y_pred = model(Xbatch)
        ybatch = y[i:i+batch_size]
        loss = loss_fn(y_pred, ybatch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
# compute accuracy
y_pred = model(X)
accuracy = (y_pred.round() == y).float().mean()
print(f"Accuracy {accuracy}")
# make class predictions with the model
predictions = (model(X) > 0.5).int()
for i in range(5):
    print('%s => %d (expected %d)' % (X[i].tolist(), predictions[i], y[i]))
