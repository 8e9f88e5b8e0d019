"""Makes TensorFlow ready for TFRS. Import it before TensorFlow, TFX or TFT.

TensorFlow Recommenders needs Keras 2, which TensorFlow 2.16 takes from `tf_keras` only when it is
told so before it is imported.
"""

import importlib
import logging
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_AUTOGRAPH_CONFIG = "tensorflow.python.autograph.core.config"
_log = logging.getLogger(__name__)


def skip_autograph_for_keras() -> bool:
    """Keep AutoGraph from converting all of `tf_keras` at the first step, which costs 10 s.

    AutoGraph's list of modules that need no conversion knows `keras` but not `tf_keras`. The list
    is private: where it isn't found nothing changes but the speed.

    Returns:
        Whether the rule is in force.
    """
    try:
        config = importlib.import_module(_AUTOGRAPH_CONFIG)
        rule = config.DoNotConvert("tf_keras")
        rules = config.CONVERSION_RULES
    except (ImportError, AttributeError) as error:
        _log.warning(
            "AutoGraph can't be told to skip tf_keras (%s): the first step is slower", error
        )
        return False
    if all(str(known) != str(rule) for known in rules):
        config.CONVERSION_RULES = (rule, *rules)
    return True
