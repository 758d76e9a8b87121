"""What the checks of compressed-tensors folders share: tensors of a folder, the library's settings of a module, its decompression."""
import json
import os

import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationConfig
from compressed_tensors.utils.match import match_targets
from safetensors.torch import load_file


def tensors(folder):
    out = {}
    for f in sorted(os.listdir(folder)):
        if f.endswith(".safetensors"):
            out.update(load_file(os.path.join(folder, f)))
    return out


class Settings:
    """The library's own reader of a folder's settings: an unknown key raises."""

    def __init__(self, folder):
        self.config = QuantizationConfig.model_validate(json.load(open(os.path.join(folder, "config.json")))["quantization_config"])
        self.by_target = {}
        for scheme in self.config.config_groups.values():
            for target in scheme.targets:
                self.by_target.setdefault(target, scheme)
        self.linear = torch.nn.Linear(1, 1)  # the class that targets may name

    def of(self, module):
        """(scheme, compressor) of a linear, as apply_quantization_config chooses them; None: the settings leave it float."""
        if match_targets(module, self.linear, self.config.ignore):
            return None
        targets = match_targets(module, self.linear, self.by_target)
        if not targets:
            return None
        scheme = self.by_target[targets[0]]
        return scheme, BaseCompressor.get_value_from_registry(scheme.format or self.config.format)


def modules(have):
    """Names of the quantized linears of a folder's tensors."""
    return sorted(k[:-len(".weight_scale")] for k in have if k.endswith(".weight_scale"))


def decompressed(folder):
    """(the folder as a float checkpoint {tensor: value}, its number of linears): every linear through the library's own
    decompression, everything else as it lies there; scales of inputs and of the cache are left out."""
    have, settings, out = tensors(folder), Settings(folder), {}
    linears = modules(have)
    for m in linears:
        chosen = settings.of(m)
        if chosen is None:
            raise RuntimeError(f"module '{m}' has scales and no settings")
        scheme, compressor = chosen
        state = {k[len(m) + 1:]: have.pop(k) for k in [k for k in have if k.startswith(m + ".") and not k.endswith(".bias")]}
        out[m + ".weight"] = compressor.decompress(state, scheme)["weight"].data
    out.update({k: v for k, v in have.items() if not k.endswith((".k_scale", ".v_scale"))})
    return out, len(linears)
