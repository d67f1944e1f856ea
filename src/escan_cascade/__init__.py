"""escan-cascade: from models and labelled data to a calibrated cascade that escand serves."""
