"""timm's transformers as backbones; `config` and `traits` import neither torch nor timm."""
