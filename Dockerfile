# Backline: the app, the worker and the terminal in one image.

FROM python:3.13-slim AS build
RUN pip install --no-cache-dir uv
WORKDIR /src
COPY pyproject.toml README.md requirements.lock ./
COPY backend backend
# Only what the project itself needs, in the versions and with the hashes of the lock.
RUN uv venv /app \
    && VIRTUAL_ENV=/app uv pip install --no-cache --compile-bytecode --constraint requirements.lock .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /data backline
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DATA_DIR=/data
USER backline
WORKDIR /data
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["backline", "serve", "--host", "0.0.0.0"]
