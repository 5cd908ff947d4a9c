"""Adapt the bundled backbone to scikit-learn's digits, in a training loop of one's own."""

import torch
from sklearn.datasets import load_digits

import onlay

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32) / 8 - 1  # to [-1, 1]
images = torch.nn.functional.interpolate(images[:, None], size=(64, 64)).expand(-1, 3, -1, -1)
targets = torch.tensor(digits.target)
train, test = slice(0, 1000), slice(1000, None)

torch.manual_seed(0)
model = onlay.adapt(
    "onlay_vit_64",
    {"name": "arc", "rank": 16},
    task={"name": "classification", "head_norm": "batch"},
    num_classes=10,
)
print(model.trainable_report())

optimizer = torch.optim.AdamW(model.trained_parameters().values())
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=3 * 40)
for epoch in range(3):
    model.train()
    total = 0.0
    for chosen in torch.randperm(1000).split(25):
        optimizer.zero_grad()
        loss = model.loss((images[train][chosen], targets[train][chosen]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.trained_parameters().values(), 1.0)
        optimizer.step()
        schedule.step()
        total += loss.item() / 40
    print(f"epoch {epoch + 1}: loss {total:.3f}")

model.eval()
with torch.inference_mode():
    right = (model(images[test]).argmax(1) == targets[test]).float().mean()
print(f"right: {right:.1%} of {len(targets[test])}")
print(model.save_pretrained("digits-bundle"))
