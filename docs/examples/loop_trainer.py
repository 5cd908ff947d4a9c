"""An adapted model under the Trainer of Hugging Face transformers."""

import torch
from sklearn.datasets import load_digits
from transformers import Trainer, TrainingArguments

import onlay

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32) / 8 - 1  # to [-1, 1]
images = torch.nn.functional.interpolate(images[:, None], size=(64, 64)).expand(-1, 3, -1, -1)
targets = torch.tensor(digits.target)


class ForTrainer(torch.nn.Module):
    """Names and answers as the Trainer has them; the adapted model stays what it is, as `model`."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values, labels=None):
        logits = self.model(pixel_values)
        if labels is None:
            return {"logits": logits}
        return {"loss": self.model.loss_of(logits, labels), "logits": logits}


torch.manual_seed(0)
model = onlay.adapt(
    "onlay_vit_64",
    {"name": "linear"},
    task={"name": "classification", "head_norm": "batch"},
    num_classes=10,
)
rows = [{"pixel_values": x, "labels": y} for x, y in zip(images, targets, strict=True)]
arguments = TrainingArguments(
    "trainer",
    num_train_epochs=2,
    per_device_train_batch_size=25,
    per_device_eval_batch_size=100,
    learning_rate=1e-2,
    save_strategy="no",  # what is kept is the bundle
    report_to="none",
    use_cpu=True,
)
trainer = Trainer(
    ForTrainer(model),
    arguments,
    train_dataset=rows[:300],
    compute_metrics=lambda p: {"top1": (p.predictions.argmax(1) == p.label_ids).mean()},
)
trainer.train()
right = trainer.evaluate(rows[300:500])["eval_top1"]
print(f"right: {right:.1%} of 200")
model.save_pretrained("trainer-bundle")
