"""Names that generated code, TransformerLens or HF have already, so that a spec cannot give them.

Those of other projects are written out, since a spec is checked without them; a test holds the
lists against what is installed.
"""

from __future__ import annotations

from adaptergen.plan.code import CONVOLUTION_CLASS, ROUTER_CLASS

#: Methods and properties of the config of TransformerLens and of every config of HF.
CONFIG_METHODS = frozenset(
    "from_dict head_dim to_dict unwrap "
    "allow_global_per_layer_attribute_access convert_rope_params_to_dict default_config_fields "
    "dict_dtype_to_str from_json_file from_pretrained get_config_dict get_mtp_config "
    "get_text_config is_custom_code is_heterogeneous is_remote_code name_or_path "
    "nested_rope_parameter_keys num_labels output_attentions per_layer_attributes "
    "per_layer_config push_to_hub register_for_auto_class rope_scaling save_pretrained "
    "serialize_explicit_per_layer_config standardize_rope_params to_diff_dict to_json_file "
    "to_json_string torch_dtype update update_from_string use_return_dict validate "
    "validate_architecture validate_layer_type validate_output_attentions validate_rope "
    "validate_token_ids".split()
)

#: What every component has, from `torch.nn.Module` or its own; what starts with `_` is not here.
COMPONENT_ATTRIBUTES = frozenset(
    "T_destination add_hook add_module apply bfloat16 buffers call_super_init children "
    "compatibility_mode compile config conversion_rule cpu cuda disable_warnings double "
    "dump_patches eval extra_repr float forward get_buffer get_extra_state get_hooks "
    "get_parameter get_submodule half hook_aliases hook_in hook_out "
    "hook_out_is_single_residual_stream ipu is_list_item load_state_dict mark_pos_dim modules "
    "mtia name named_buffers named_children named_modules named_parameters optional "
    "original_component parameters property_aliases real_components register_backward_hook "
    "register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook "
    "register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter "
    "register_state_dict_post_hook register_state_dict_pre_hook remove_hooks requires_grad_ "
    "set_extra_state set_original_component set_processed_weights set_submodule share_memory "
    "state_dict submodules to to_empty train training type xpu zero_grad".split()
)

#: What the adapter module names with `_` in front; a kind `x` makes a function `_x`.
BUILDERS = frozenset(
    "_FORMER_KINDS _HF_FIELDS _LayerKind _has_submodule _leave_out _rebind _without_hooks".split()
    + [CONVOLUTION_CLASS, ROUTER_CLASS]
)

#: What the functions around a convolution use, so that one of them cannot have such a name.
FUNCTIONAL_LOCALS = frozenset(
    "Any HookPoint activation args bias conv1d convolve copy end function functools getattr hf_conv1d "
    "hook hook_tokens hooked inspect kwargs method mixer name names namespace original out run self "
    "seq_len setattr state states tokens torch types weight x".split()
)

#: What the tests import next to the class of the architecture.
TEST_IMPORTS = frozenset({"DynamicCache", "SpecifierSet", "TransformerBridge"})
