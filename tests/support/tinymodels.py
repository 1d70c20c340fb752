"""Models of a few thousand random weights with real classes and real processors, on disk."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BitImageProcessorPil,
    Blip2Config,
    Blip2ForConditionalGeneration,
    BlipImageProcessorPil,
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    ColPaliConfig,
    ColPaliForRetrieval,
    ColPaliProcessor,
    ColQwen2Config,
    ColQwen2ForRetrieval,
    ColQwen2Processor,
    Dinov2Config,
    Dinov2Model,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessorPil,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2Model,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperModel,
)  # fmt: skip

TEXTS = ["a dog on a beach", "the pad at night", "two reporters in a café share one table"]


def tokenizer(folder: Path, longest: int, masked: bool = True) -> int:
    """A byte-pair tokenizer trained on a few words; the size of its vocabulary."""
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["<pad>", "<s>", "</s>", "<unk>"]
    bpe.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=90, special_tokens=special))
    bpe.post_processor = processors.TemplateProcessing(
        "<s> $A </s>", None, [("<s>", 1), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        unk_token="<unk>", model_max_length=longest,
        model_input_names=["input_ids", "attention_mask"][: 1 + masked],
    ).save_pretrained(folder)  # fmt: skip
    return bpe.get_vocab_size()


def clip(folder: Path, seed: int = 0) -> Path:
    """CLIP with vectors of 24 numbers, images of 32x32 pixels, texts of 16 tokens."""
    torch.manual_seed(seed)
    words = tokenizer(folder, 16)
    small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    small |= {"num_attention_heads": 2, "projection_dim": 24}
    config = CLIPConfig(
        text_config=small | {"vocab_size": words, "max_position_embeddings": 16}
        | {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
        vision_config=small | {"image_size": 32, "patch_size": 8},
        projection_dim=24,
    )  # fmt: skip
    CLIPModel(config).save_pretrained(folder)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    CLIPImageProcessorPil(**size).save_pretrained(folder)
    return folder


def blip2(folder: Path) -> Path:
    """BLIP-2 with a T5: images of 20 numbers, texts of 28."""
    torch.manual_seed(0)
    words = tokenizer(folder, 512)
    small = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40}
    config = Blip2Config(
        vision_config=small | {"hidden_size": 32, "image_size": 32, "patch_size": 8},
        qformer_config=small | {"hidden_size": 20, "encoder_hidden_size": 32, "vocab_size": 40},
        text_config={
            "model_type": "t5", "d_model": 28, "d_kv": 14, "d_ff": 40, "num_layers": 2,
            "num_heads": 2, "vocab_size": words, "decoder_start_token_id": 0,
        },
        num_query_tokens=4,
    )  # fmt: skip
    Blip2ForConditionalGeneration(config).save_pretrained(folder)
    BlipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    """Whisper with states of 16 numbers."""
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, vocab_size=40,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    WhisperModel(config).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def siglip(folder: Path) -> Path:
    """SigLIP with vectors of 32 numbers; texts are always 16 tokens, none masked."""
    torch.manual_seed(0)
    words = tokenizer(folder, 16, masked=False)
    config = SiglipConfig(
        text_config=SMALL | {"vocab_size": words, "max_position_embeddings": 16},
        vision_config=SMALL | {"image_size": 32, "patch_size": 8},
    )
    SiglipModel(config).save_pretrained(folder)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def siglip2(folder: Path) -> Path:
    """SigLIP 2, NaFlex: images keep their shape, in 16 patches at most."""
    torch.manual_seed(0)
    words = tokenizer(folder, 16, masked=False)
    config = Siglip2Config(
        text_config=SMALL | {"vocab_size": words, "max_position_embeddings": 16},
        vision_config=SMALL | {"num_patches": 16, "patch_size": 8},
    )
    Siglip2Model(config).save_pretrained(folder)
    Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16).save_pretrained(folder)
    return folder


def clap(folder: Path) -> Path:
    """CLAP with vectors of 24 numbers; sounds of a second at most, at 48 kHz."""
    torch.manual_seed(0)
    words = tokenizer(folder, 16)
    config = ClapConfig(
        text_config=SMALL | {"vocab_size": words, "max_position_embeddings": 20},
        audio_config={
            "spec_size": 64, "num_mel_bins": 16, "window_size": 2, "patch_size": 4,
            "depths": [1, 1], "patch_stride": [4, 4], "num_attention_heads": [2, 2],
            "patch_embeds_hidden_size": 8, "hidden_size": 16, "num_classes": 4,
        },
        projection_dim=24,
    )  # fmt: skip
    ClapModel(config).save_pretrained(folder)
    ClapFeatureExtractor(feature_size=16, max_length_s=1, truncation="rand_trunc").save_pretrained(
        folder
    )
    return folder


def dinov2(folder: Path) -> Path:
    """DINOv2 with vectors of 32 numbers."""
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=7
    )
    Dinov2Model(config).save_pretrained(folder)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 28, "width": 28}}
    BitImageProcessorPil(**size).save_pretrained(folder)
    return folder


def wav2vec2(folder: Path) -> Path:
    """Wav2Vec 2 with states of 32 numbers; sounds of any length, at 16 kHz."""
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        **SMALL, conv_dim=(16, 16), conv_stride=(10, 8), conv_kernel=(10, 8), vocab_size=8,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4,
    )  # fmt: skip
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def _labelled(labels: list[str]) -> dict[str, dict]:
    return {"id2label": dict(enumerate(labels)), "label2id": {n: i for i, n in enumerate(labels)}}


def image_classifier(folder: Path, labels: list[str]) -> Path:
    """A ViT that tells images apart, of 32x32 pixels."""
    torch.manual_seed(0)
    config = ViTConfig(**SMALL, image_size=32, patch_size=8, **_labelled(labels))
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def sound_classifier(folder: Path, labels: list[str]) -> Path:
    """A Wav2Vec 2 that tells sounds apart."""
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        **SMALL, conv_dim=(16, 16), conv_stride=(10, 8), conv_kernel=(10, 8), vocab_size=8,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, **_labelled(labels),
    )  # fmt: skip
    Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


def text_classifier(folder: Path, labels: list[str]) -> Path:
    """A BERT whose labels do not exclude each other."""
    torch.manual_seed(0)
    folder.mkdir()
    words = tokenizer(folder, 16)
    config = BertConfig(
        **SMALL, vocab_size=words, max_position_embeddings=16, **_labelled(labels),
        problem_type="multi_label_classification",
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def colpali(folder: Path) -> Path:
    """ColPali with tokens of 16 numbers, 16 of them an image."""
    torch.manual_seed(0)
    tokenizer(folder, 512)
    tokens = PreTrainedTokenizerFast.from_pretrained(folder)
    pixels = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    pixels.image_seq_length = 16
    processor = ColPaliProcessor(pixels, tokens)
    processor.save_pretrained(folder)
    text = {"model_type": "gemma", "vocab_size": len(tokens), "num_key_value_heads": 1}
    text |= {"head_dim": 16, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    vision = {"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 8}
    vlm = {
        "model_type": "paligemma", "text_config": SMALL | text, "projection_dim": 32,
        "vision_config": SMALL | vision | {"projection_dim": 32}, "hidden_size": 32,
        "image_token_index": processor.image_token_id, "image_token_id": processor.image_token_id,
    }  # fmt: skip
    ColPaliForRetrieval(ColPaliConfig(vlm_config=vlm, embedding_dim=16)).save_pretrained(folder)
    return folder


def colqwen2(folder: Path) -> Path:
    """ColQwen2 with tokens of 16 numbers; how many an image has depends on its shape."""
    torch.manual_seed(0)
    tokenizer(folder, 512)
    tokens = PreTrainedTokenizerFast.from_pretrained(folder)
    marks = ["<|image_pad|>", "<|vision_start|>", "<|vision_end|>", "<|im_start|>", "<|im_end|>"]
    tokens.add_tokens([*marks, "<|endoftext|>", "<|video_pad|>"], special_tokens=True)
    pixels = Qwen2VLImageProcessorPil(
        patch_size=4, temporal_patch_size=2, merge_size=2,
        size={"shortest_edge": 16 * 16, "longest_edge": 40 * 40},
    )  # fmt: skip
    ColQwen2Processor(pixels, tokens).save_pretrained(folder)
    number = tokens.convert_tokens_to_ids
    text = {"vocab_size": len(tokens), "num_key_value_heads": 2, "pad_token_id": 0}
    text |= {
        "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4}
    }
    vision = {"depth": 1, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "patch_size": 4}
    vlm = {
        "model_type": "qwen2_vl", "text_config": SMALL | text, "vision_config": vision,
        "image_token_id": number(marks[0]), "vision_start_token_id": number(marks[1]),
        "vision_end_token_id": number(marks[2]), "video_token_id": number("<|video_pad|>"),
    }  # fmt: skip
    ColQwen2ForRetrieval(ColQwen2Config(vlm_config=vlm, embedding_dim=16)).save_pretrained(folder)
    return folder
