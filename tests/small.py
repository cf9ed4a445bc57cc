"""Settings that make every generator quick: enough to learn the device of `conftest`, no more."""

from iotflowgen.generators import (
    ActivitiesConfig,
    DoppelGANgerConfig,
    IoTFlowConfig,
    MarkovConfig,
    ReplayConfig,
    SessionsConfig,
)

SMALL = {
    "activities": ActivitiesConfig(window=8),
    "doppelganger": DoppelGANgerConfig.model_validate(
        {
            "window": 8,
            "windows": 200,
            "networks": {
                "packets": 3,
                "hidden": 64,
                "critic_hidden": 64,
                "critic_layers": 3,
                "steps": 400,
                "batch": 32,
                "averaging": 0.95,
            },
        }
    ),
    "iotflow": IoTFlowConfig.model_validate(
        {
            "window": 8,
            "windows": 200,
            "vq_stae": {
                "width": 32,
                "layers": 1,
                "heads": 2,
                "codebook_size": 64,
                "training": {"epochs": 8, "batch": 32, "learning_rate": 3e-3},
            },
            "seqgan": {
                "embedding": 16,
                "hidden": 32,
                "pretraining": {"epochs": 8, "batch": 32, "learning_rate": 1e-2},
                "filters": [[1, 8], [3, 8]],
                "discriminator_pretraining": 1,
                "rounds": 1,
                "rollouts": 2,
            },
            "frame_length": {
                "hidden": 32,
                "training": {"epochs": 4, "batch": 32, "learning_rate": 3e-3},
            },
        }
    ),
    "markov": MarkovConfig(window=8),
    "replay": ReplayConfig(window=8),
    "sessions": SessionsConfig(window=8),
}
