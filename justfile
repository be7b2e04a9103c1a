# What one does here, each in a word. `just` alone lists them.
default:
    @just --list

# Install everything into .venv
setup:
    python3 -m venv .venv
    .venv/bin/pip install -c constraints.txt torch
    .venv/bin/pip install -c constraints.txt -e ".[dev]"

# Put the code into its form
fmt:
    ruff format .
    ruff check --fix .

# Look for mistakes
lint:
    ruff format --check .
    ruff check .
    lint-imports

# Check the types
types:
    pyright

# Run the tests
test *arguments:
    python -m pytest {{arguments}}

# Look for examples that break what tests claim of all of them; other ones each time
search *arguments:
    python -m pytest -m hypothesis --hypothesis-profile=search {{arguments}}

# Read the documentation with the code
docs:
    python -m pytest tests/repo

# Measure
bench name="log_call":
    python benchmarks/{{name}}.py

# Build the dashboard and serve it
ui:
    cd dashboard && npm ci --ignore-scripts && npm run build
    runhaven ui

# Take the pictures of the documentation
pictures *examples:
    python docs/pictures.py {{examples}}

# Run the adapters' tests on the oldest and the newest frameworks that we claim
matrix *names:
    python tests/matrix.py {{names}}
