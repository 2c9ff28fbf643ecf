"""The First Order Motion Model (Siarohin et al., NeurIPS 2019): networks, checkpoints and the engine around them."""
