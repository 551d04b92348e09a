"""Layers. One class a kind, the base in `layer.py`."""

from slipstream.keras.layers.activation import Activation
from slipstream.keras.layers.activation_layers import ELU, LeakyReLU, PReLU, ReLU, Softmax
from slipstream.keras.layers.attention import AdditiveAttention, Attention
from slipstream.keras.layers.convolutional import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from slipstream.keras.layers.dense import Dense
from slipstream.keras.layers.einsum_dense import EinsumDense
from slipstream.keras.layers.embedding import Embedding, Masking
from slipstream.keras.layers.functions import Identity, Lambda, Rescaling
from slipstream.keras.layers.grouped_query_attention import (
    GroupedQueryAttention,
    GroupQueryAttention,
)
from slipstream.keras.layers.input_spec import InputSpec
from slipstream.keras.layers.inputs import Input, InputLayer
from slipstream.keras.layers.layer import Layer
from slipstream.keras.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from slipstream.keras.layers.multi_head_attention import MultiHeadAttention
from slipstream.keras.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    UnitNormalization,
)
from slipstream.keras.layers.operation import OperationLayer
from slipstream.keras.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from slipstream.keras.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from slipstream.keras.layers.recurrent_cells import (
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
    StackedRNNCells,
)
from slipstream.keras.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from slipstream.keras.layers.reshaping import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Flatten,
    Permute,
    RepeatVector,
    Reshape,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from slipstream.keras.layers.wrappers import Bidirectional, TimeDistributed, Wrapper

Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
__all__ = [name for name in dir() if not name.startswith("_") and name[0].isupper()] + [
    "add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract",
]  # fmt: skip
