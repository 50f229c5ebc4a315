"""Writers of dataset layouts: cameras and images of any dataset in another layout."""

from data_tools.writers.dataset import WRITERS, write_dataset
