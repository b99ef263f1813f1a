FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv && python -m pip install "hatchling>=1.25"
WORKDIR /src

# Dependencies first: this layer lasts until pyproject.toml changes.
COPY pyproject.toml ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*project['dependencies'], *project['optional-dependencies']['sample'], sep='\n')" > requirements.txt \
 && /opt/venv/bin/python -m pip install --requirement requirements.txt

# Then the engine. pip compiles what it installs.
COPY README.md LICENSE ./
COPY orchestrator ./orchestrator
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && /opt/venv/bin/python -m pip install --no-deps /dist/*.whl

# Then the service. Hashed byte code stays valid whatever happens to the times of the files on their way.
COPY app /srv/app
COPY startup.yaml startup.production.yaml digest.yaml /srv/
RUN /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /srv/app


FROM python:3.11-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A volume that is mounted empty takes over owner and mode of the directory it covers. Group 0 may write too:
# platforms that choose a user of their own keep that group.
RUN install --directory --owner=10001 --group=0 --mode=0770 /srv/data \
 && install --directory --owner=10001 --group=10001 --mode=0700 /run/orchestrator
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv /srv
WORKDIR /srv
USER 10001:10001
EXPOSE 8000
# Asks the server that runs here, whatever its port: no curl, no second copy of the address.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 CMD ["orchestrator", "health"]
ENTRYPOINT ["orchestrator"]
CMD ["run"]
