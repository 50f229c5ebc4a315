"""Writers of dataset layouts: cameras and images of any dataset in another layout."""

from nvs_data.writers.dataset import WRITERS, write_dataset
