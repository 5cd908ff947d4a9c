"""An adapted model under PyTorch Lightning."""

import pytorch_lightning as lightning
import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

import onlay

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32) / 8 - 1  # to [-1, 1]
images = torch.nn.functional.interpolate(images[:, None], size=(64, 64)).expand(-1, 3, -1, -1)
targets = torch.tensor(digits.target)


class Adapted(lightning.LightningModule):
    """What Lightning asks of a model; the adapted one stays what it is, as `model`."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def training_step(self, batch, index):
        return self.model.loss(batch)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.model.trained_parameters().values(), lr=1e-2)


torch.manual_seed(0)
model = onlay.adapt(
    "onlay_vit_64",
    {"name": "linear"},
    task={"name": "classification", "head_norm": "batch"},
    num_classes=10,
)
train = DataLoader(TensorDataset(images[:300], targets[:300]), batch_size=25, shuffle=True)
trainer = lightning.Trainer(
    max_epochs=2,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(Adapted(model), train)

model.eval()
with torch.inference_mode():
    right = (model(images[300:500]).argmax(1) == targets[300:500]).float().mean()
print(f"right: {right:.1%} of 200")
model.save_pretrained("lightning-bundle")
