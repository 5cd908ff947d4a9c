"""A frozen backbone with one adapter and the head of a task: a plain module for anybody's training
loop."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from onlay.anatomy import Anatomy, BuiltBackbone, Refusal
from onlay.anatomy.adapter import Adapter
from onlay.anatomy.attachments import Attachments
from onlay.batches import size_of
from onlay.errors import AnatomyError, BundleError
from onlay.figures import Figures
from onlay.machine.disk import path_of
from onlay.model.arguments import pair_of, refuse_other_states
from onlay.model.compiled import InTurn, called_in_turn
from onlay.model.decay import spared
from onlay.model.losses import OfFeatures, asked, auxiliary_losses, by_views, task_loss
from onlay.model.merging import merged
from onlay.model.prefix import Kept, Prefix
from onlay.model.report import TrainableReport, parts_of
from onlay.model.telling import figures_of

if TYPE_CHECKING:
    from onlay.data import Splits
    from onlay.features import Features
    from onlay.settings import Config


class AdaptedModel(nn.Module):
    """Made by `onlay.adapt` and `onlay.load`.

    Children: `adapter` and `head` train; `backbone` is the user's own module object, under its own
    names. While this adapter is the active one the backbone acts adapted wherever it is called;
    `disabled` and `detach` give the bare one.

    An adapter that inserts tokens (visual prompts) leaves them in what `backbone` itself puts out,
    and what a library computes of that takes them for patches: timm's `forward_head` averages them
    in, its `forward_intermediates` makes maps of a wrong shape. `features` tells them apart. A
    module around this one finds in `backbone` the parameters of whichever adapter acts:
    `trained_parameters` are this model's own.
    """

    def __init__(
        self,
        built: BuiltBackbone,
        adapter: Adapter,
        head: nn.Module,
        *,
        method: Config,
        task: Config,
        name: str = "default",
        preprocessing: Mapping[str, Any] | None = None,
        packages: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        super().__init__()
        self.built, self.method, self.task, self.name = built, method, task, name
        self.preprocessing = dict(preprocessing or {})
        """How an input is prepared for this model; goes into the bundle."""
        self.packages = dict(packages or {})
        """For method, task and backbone: the distribution that brings it, and its version."""
        self.adapter = adapter
        self.backbone = built.module
        self.head: Any = head
        self.attachments = Attachments.of(self.backbone)
        vars(self)["__call__"] = called_in_turn(self)  # for `torch.compile`
        self.prefix: Prefix | None = None
        """Where `Kept` batches begin, if there are any."""
        self.merge_change: float | None = None
        """Set on a merged model: the largest change of an output on random inputs."""
        self.merge_refusals: list[Refusal] = []
        self.folded = False
        """Whether the backbone's weights have taken anything up, which no bundle holds."""

    @property
    def anatomy(self) -> Anatomy:
        return self.built.anatomy

    def forward(self, inputs: Tensor, targets: Any = None, *, share: float | Tensor = 1.0) -> Any:
        """The task's output for a batch, a tensor or a tree of them; classification: logits
        (B, classes).

        With `targets` it is the loss of the batch instead, as `loss` gives it: all of it in one
        call of the module, so that DDP and compilers see it whole.

        Threads that call models of one backbone take turns.
        """
        if torch.compiler.is_dynamo_compiling():
            self._act_while_traced()
            return self._passed(inputs, targets, share)
        with self._turn():  # also while modules hold what their losses are made of
            return self._passed(inputs, targets, share)

    def _act_while_traced(self) -> None:
        """No lock can be traced: whoever compiles more than `model` sees to it that one thread
        calls it."""
        if self.attachments.active != self.name:
            self.attachments.activate(self.name)

    def _passed(self, inputs: Tensor, targets: Any, share: float | Tensor) -> Any:
        if targets is None:
            return self._output(inputs)
        single = size_of(inputs)
        if self.training:
            for views in asked(self.adapter, "views"):
                inputs = views(inputs)
        features = self._features(inputs, getattr(self.head, "levels", ()))
        return auxiliary_losses(self.adapter, self._task_loss(features, targets, single) * share)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """As always, in place; calls take turns as ever."""
        super().compile(*args, **kwargs)
        call = self._compiled_call_impl
        assert call is not None
        self._compiled_call_impl = InTurn(self, call)

    def __getstate__(self) -> dict[str, Any]:
        own = {"__call__", "_compiled_call_impl"}  # what is compiled is no part of a copy
        return {key: value for key, value in vars(self).items() if key not in own}

    def __deepcopy__(self, memo: dict[int, Any]) -> AdaptedModel:
        """While no other thread's call exchanges what stands in the backbone."""
        with self.attachments.lock:
            twin = memo[id(self)] = type(self).__new__(type(self))
            twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"_compiled_call_impl": None, **state})
        vars(self)["__call__"] = called_in_turn(self)
        self.attachments.stand_by(self.backbone)

    def _turn(self) -> AbstractContextManager[None]:
        return self.attachments.turn(self.name, self.adapter)

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """As always, as they are while this adapter acts, whichever acts now."""
        with self._by_itself():
            return iter(list(super().named_parameters(*args, **kwargs)))

    def named_buffers(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, Tensor]]:
        """Likewise."""
        with self._by_itself():
            return iter(list(super().named_buffers(*args, **kwargs)))

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Likewise."""
        with self._by_itself():
            return super().state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Into the tensors that there are while this adapter acts.

        Raises:
            AnatomyError: it was detached, and the backbone is not this model's to change.
        """
        self.attachments.refuse_detached(self.name, self.adapter)
        with self._by_itself():
            return super().load_state_dict(*args, **kwargs)

    def _apply(self, *args: Any, **kwargs: Any) -> AdaptedModel:
        with self._by_itself():
            return super()._apply(*args, **kwargs)

    @contextmanager
    def _by_itself(self) -> Iterator[None]:
        with self.attachments.lock:
            own, active = self.attachments.adapters.get(self.name), self.attachments.active
            if own is self.adapter and active is not None:
                self.attachments.activate(self.name)
            try:
                yield
            finally:
                self.attachments.activate(active)

    def features(self, inputs: Tensor, *, levels: Sequence[int] = ()) -> Features:
        """What the adapted backbone gives for a batch, before the head; `levels` are blocks whose
        output is wanted, too.

        In the mode in which the model is, and with gradients: call `eval()` and
        `torch.inference_mode()` where neither dropout nor gradients are wanted.
        """
        if torch.compiler.is_dynamo_compiling():
            self._act_while_traced()
            return self._features(inputs, levels)
        with self._turn():
            return self._features(inputs, levels)

    def _features(self, inputs: Tensor | Kept, levels: Sequence[int]) -> Features:
        if self.prefix is not None and isinstance(inputs, Kept):
            return self.prefix.features(self, inputs, levels)
        return self._of_inputs(cast(Tensor, inputs), levels)

    def _of_inputs(self, inputs: Tensor, levels: Sequence[int]) -> Features:
        inputs = self.anatomy.prepared(inputs)
        return self.anatomy.encode(inputs, inserted=self.adapter.tokens, levels=levels)

    def _output(self, inputs: Tensor) -> Any:
        views = None if self.training else getattr(self.head, "views", None)
        if views is None:
            return self._seen(inputs)
        return self.head.joined([self._seen(view) for view in views(inputs)])

    def _seen(self, inputs: Tensor) -> Any:
        return self.answer(self._features(inputs, getattr(self.head, "levels", ())))

    def answer(self, features: Features) -> Any:
        """The task's output from what the backbone gives, in the head's dtype."""
        return self.head(self._read(features))

    def _read(self, features: Features) -> Features:
        own = next((p.dtype for p in self.head.parameters()), None)
        if own is None or torch.is_autocast_enabled(features.patches.device.type):
            return features
        return features.to(own)

    def _task_loss(self, features: Features, targets: Any, single: int | None = None) -> Tensor:
        """By the method's module that has a `loss`, by the head's `forward_loss`, by its `loss`.
        `single` inputs are a view, by default all of them; of several, each meets the head's batch
        norms by itself."""
        own = asked(self.adapter, "loss") if self.training else []
        whole = getattr(self.head, "forward_loss", None)
        if whole is not None and not (own and hasattr(self.head, "loss")):
            given = self._read(features)
            return own[0](given, targets, OfFeatures(whole)) if own else whole(given, targets)
        output, training = by_views(self.answer, self.head, features, single), self.training
        return task_loss(self.adapter, self.head, output, targets, training=training)

    def loss(self, batch: tuple[Tensor, Any], *more: Any, share: float | Tensor = 1.0) -> Tensor:
        """Scalar loss of `(inputs, targets)`, with the auxiliary losses of the method; the same as
        `model(inputs, targets)`.

        It is the mean over this batch. Batches of one size that are accumulated, or lie in several
        processes, have the loss of all of them in the mean of their losses; but with class weights
        only if each is multiplied by its `share`: n * w / W, where n is the number of batches, w
        this batch's `model.head.weight_of(targets)` and W the sum over all n.

        Raises:
            DataError: it was given something else than one pair.
        """
        inputs, targets = pair_of(batch, *more)
        return self(inputs, targets, share=share)

    def loss_of(self, output: Any, targets: Any, *, share: float | Tensor = 1.0) -> Tensor:
        """The loss of an output that is already at hand; the task's own part of it is multiplied by
        `share`.

        Raises:
            AnatomyError: there is more to the loss than the output of the batch: in training the
                method looks at several views of it, or the task at features and targets at once.
        """
        if self.training and asked(self.adapter, "views"):
            raise AnatomyError(
                f"`{self.method.name}` looks at several views of a batch while it trains, and this"
                " is the output of one: call `model(inputs, targets)` for the loss"
            )
        training = self.training
        loss = task_loss(self.adapter, self.head, output, targets, training=training)
        return auxiliary_losses(self.adapter, loss * share)

    def prepare(self, splits: Splits) -> None:
        """Let the head and the method's modules take from the data what they need; once, before
        training.

        `onlay train` calls it for you, at every start of a run, before a checkpoint is read. What
        is taken is kept in buffers, so that a bundle and a checkpoint hold it.
        """
        self.head.prepare(splits)
        with self._turn():
            for prepare in asked(self.adapter, "prepare"):
                prepare(splits)

    @torch.no_grad()
    def after_step(self, step: int, total: int) -> None:
        """Tell the method's modules that optimizer step number `step`, from 1, of `total` is done;
        gradients are those of the step until the loop sets them to none.

        `onlay train` calls it for you, on every process.
        """
        hearing = asked(self.adapter, "after_step")
        if hearing:
            with self._turn():
                for after_step in hearing:
                    after_step(step, total)

    def figures(self) -> Figures:
        """What the adapter's modules tell of the training, each asked once; may wait for the
        device.

        Raises:
            PluginError: a module fails, or gives something else.
        """
        return figures_of(self.adapter)

    def train(self, mode: bool = True) -> AdaptedModel:
        """As always, but batch norms use and move their statistics only where these are thawed;
        and the backbone's modules change their mode when this adapter acts on them."""
        self.training = mode
        self.adapter.train(mode)
        self.head.train(mode)
        with self.attachments.lock:
            active = self.attachments.active == self.name
            self.adapter.train_backbone(mode, active=active)
        return self

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute blocks in the backward pass (the non-reentrant kind), each with the adapter and
        the input of its forward pass."""
        with self.attachments.without():  # and back, with its blocks' calls changed or restored
            self.adapter.recomputes = enable

    @contextmanager
    def disabled(self) -> Iterator[nn.Module]:
        """The bare backbone, for the length of a `with` block; other threads' calls wait for its
        end."""
        with self.attachments.without():
            yield self.backbone

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        """What trains, each parameter once, under its name in the bundle."""
        with self.attachments.lock:  # another thread's call may be exchanging copies
            named = [(f"adapter.{n}", p) for n, p in self.adapter.named_parameters()]
        named += [(f"head.{n}", p) for n, p in self.head.named_parameters()]
        return {name: p for name, p in named if p.requires_grad}

    def no_weight_decay(self) -> set[str]:
        """Names of trained tensors that the backbone wants to have without weight decay, such as a
        class token and tables of positions; `timm.optim` asks for them."""
        return spared(self)

    def trained_state(self) -> dict[str, Tensor]:
        """The tensors of a bundle: what trains, and the buffers that training moves; shared ones
        once."""
        with self.attachments.lock:
            state = {f"adapter.{name}": t.detach() for name, t in self.adapter.own_tensors()}
        state |= {f"head.{name}": t.detach() for name, t in self.head.state_dict().items()}
        missing = set(self.trained_parameters()) - set(state)
        assert not missing, f"trained but not saved: {missing}"
        return state

    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        """Load what `trained_state` gave.

        Raises:
            BundleError: a tensor is missing, unexpected or of another shape, or something is no
                tensor; names them.
        """
        refuse_other_states(state)
        with self.attachments.lock:
            own = {f"adapter.{name}": t for name, t in self.adapter.own_tensors()}
        own |= {f"head.{name}": t for name, t in self.head.state_dict().items()}
        problems = [f"`{name}` is missing" for name in own.keys() - state.keys()]
        problems += [f"`{name}` is unexpected" for name in state.keys() - own.keys()]
        problems += [
            f"`{name}` is {tuple(state[name].shape)} and should be {tuple(own[name].shape)}"
            for name in own.keys() & state.keys()
            if own[name].shape != state[name].shape
        ]
        if problems:
            raise BundleError(_shortened("the tensors do not fit this model", sorted(problems)))
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(state[name])

    def trainable_report(self) -> TrainableReport:
        """Trainable parameters as method, head (and the parts that it tells apart) and other,
        beside the backbone's."""
        with self.attachments.lock:
            copies = {id(p) for p in self.adapter.thawed.parameters()}
            trained = list(self.adapter.parameters())
        trunk = self.anatomy.trunk()
        parameters = dict(self.backbone.named_parameters(remove_duplicate=False))
        return TrainableReport(
            method=sum(p.numel() for p in trained if id(p) not in copies),
            head=sum(p.numel() for p in self.head.parameters() if p.requires_grad),
            other=sum(p.numel() for p in trained if id(p) in copies),
            backbone=sum(p.numel() for name, p in parameters.items() if name in trunk),
            parts=parts_of(self.head),
        )

    def merge(self, *, partial: bool = False) -> AdaptedModel:
        """A copy whose adapter is folded into its weights, in float32, cast last; this model stays
        as it is.

        With `partial` the pieces that cannot be folded stay adapters; `merge_refusals` of the copy
        says which.

        Raises:
            CannotFold: a piece cannot be folded, and why; or the copy computes something else.
        """
        return merged(self, partial=partial)

    def detach(self) -> nn.Module:
        """Take the adapter off and give the backbone back, bit for bit what it was before.

        Raises:
            AnatomyError: it was taken off before.
        """
        self.attachments.refuse_detached(self.name, self.adapter)
        self.attachments.remove(self.name, self.backbone)
        return self.backbone

    def save_pretrained(
        self, save_directory: str | Path, *, record: Mapping[str, Any] | None = None
    ) -> Path:
        """Write the bundle folder, atomically; `record` holds facts of the run for its model
        card."""
        from onlay.model.saving import save

        return save(self, path_of(save_directory), record=record or {})

    def push_to_hub(self, repo_id: str, *, private: bool = False) -> str:
        """Put the bundle on a model hub as `user/name`; gives the commit's address."""
        from onlay.bundle.hub import upload

        with TemporaryDirectory() as folder:
            return upload(self.save_pretrained(Path(folder) / "bundle"), repo_id, private=private)

    def _replicate_for_data_parallel(self) -> AdaptedModel:
        raise AnatomyError(
            "an adapted model cannot be spread over several devices by `DataParallel`, whose copies"
            " of modules would call the hooks of the first; use `DistributedDataParallel`"
            " (`accelerate launch` or `torchrun`), or `DataParallel` with one device"
        )

    def example(self, batch: int = 1) -> Tensor:
        """Random inputs of the size that files are read to, else of the backbone's own."""
        inputs, size = self.anatomy.example(batch), self.preprocessing.get("img_size")
        if size is None or inputs.ndim != 4 or tuple(inputs.shape[-2:]) == tuple(size):
            return inputs
        return torch.rand_like(inputs.new_empty(*inputs.shape[:2], *size))


def _shortened(start: str, problems: list[str], shown: int = 4) -> str:
    more = f" and {len(problems) - shown} more" if len(problems) > shown else ""
    return f"{start}: {', '.join(problems[:shown])}{more}"
