"""Molecules: files of the usual formats, SMILES, molecules of rdkit's."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from runhaven.errors import UsageError
from runhaven.media.kind import Media, lenient
from runhaven.media.source import checked_path, extension, is_path, read_stream
from runhaven.missing import require

if TYPE_CHECKING:
    from collections.abc import Callable

    from runhaven.media.kind import Reference, Sink


class Molecule(Media):
    """A molecule."""

    type_name = "molecule-file"
    list_type = "molecule"
    SUPPORTED_TYPES: ClassVar[set[str]] = {
        "pdb", "pqr", "mmcif", "mcif", "cif", "sdf", "sd", "gro", "mol2", "mmtf", "mol", "smi",
    }  # fmt: skip
    SUPPORTED_RDKIT_TYPES: ClassVar[set[str]] = {"mol", "sdf"}

    @lenient
    def __init__(self, data_or_path: Any, caption: str | None = None, **kwargs: str) -> None:
        """Take a molecule.

        Args:
            data_or_path: The path of a file, or an open one.
            caption: A line of text.
            **kwargs: `file_type`, needed for an open file: one of `SUPPORTED_TYPES`.
        """
        self.caption = caption
        self._place: Callable[[], bytes] | None = None
        self._format = kwargs.pop("file_type", None)
        self._path = data_or_path if is_path(data_or_path) else None
        self._content = None if self._path is not None else read_stream(data_or_path)
        if kwargs:
            message = f"Molecule got unexpected arguments: {', '.join(sorted(kwargs))}."
            raise UsageError(message)

    @classmethod
    def from_smiles(
        cls,
        data: str,
        caption: str | None = None,
        sanitize: bool = True,
        convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Molecule:
        """Take a molecule's SMILES. With rdkit it gets places in space and is kept as PDB; without, its text is kept.

        Args:
            data: The SMILES.
            caption: A line of text.
            sanitize: Whether rdkit checks valences and finds rings.
            convert_to_3d_and_optimize: Whether rdkit finds places for the atoms; if not, the text is kept.
            mmff_optimize_molecule_max_iterations: How long it looks for better ones.
        """
        molecule = cls(io.StringIO(data), caption, file_type="smi")
        if convert_to_3d_and_optimize:
            molecule._place = partial(_from_smiles, data, sanitize, mmff_optimize_molecule_max_iterations)
        return molecule

    @classmethod
    def from_rdkit(
        cls,
        data_or_path: Any,
        caption: str | None = None,
        convert_to_3d_and_optimize: bool = True,
        mmff_optimize_molecule_max_iterations: int = 200,
    ) -> Molecule:
        """Take a molecule of rdkit's, or a file that rdkit reads, as PDB.

        Args:
            data_or_path: The molecule, or the path of a mol or sdf file.
            caption: A line of text.
            convert_to_3d_and_optimize: Whether rdkit finds places for the atoms.
            mmff_optimize_molecule_max_iterations: How long it looks for better ones.
        """
        molecule = cls(io.StringIO(), caption, file_type="pdb")
        iterations = mmff_optimize_molecule_max_iterations if convert_to_3d_and_optimize else None
        if is_path(data_or_path):
            molecule._place = partial(_from_file, data_or_path, iterations)
        elif hasattr(data_or_path, "ToBinary"):
            molecule._place = partial(_from_binary, data_or_path.ToBinary(), iterations)
        else:
            message = (
                f"from_rdkit takes a molecule of rdkit's or the path of a file, not {type(data_or_path).__name__}."
            )
            molecule.problem = UsageError(message)
        return molecule

    def doubts(self) -> list[str]:
        """Say what is missing to show SMILES in space."""
        if self._place is None or self._format != "smi":
            return []
        try:
            _chem()
        except ImportError as error:
            return [f"{error}. The SMILES is kept as text"]
        return []

    def check(self) -> None:
        """Look at the format."""
        found = self._format
        if self._path is not None:
            path = checked_path(self._path, "Molecule")
            found = found or extension(path, self.SUPPORTED_TYPES)
        elif self._content is None:
            message = "Molecule takes the path of a file or an open one; see also Molecule.from_smiles."
            raise UsageError(message)
        if found not in self.SUPPORTED_TYPES:
            message = (
                f"the format of a molecule must be one of {', '.join(sorted(self.SUPPORTED_TYPES))}, not {found!r}."
            )
            raise UsageError(message)

    def weight(self) -> int:
        """Return how many bytes it holds."""
        return len(self._content or b"")

    def keep(self, sink: Sink) -> Reference:
        """Keep the file or the text; with rdkit, the places that it finds."""
        if self._place is not None:
            try:
                return self.described(sink.put(self._place(), "pdb"))
            except ImportError:
                if self._format != "smi":
                    raise
        if self._content is not None:
            return self.described(sink.put(self._content, self._format or "pdb"))
        path = checked_path(self._path, "Molecule")
        return self.described(sink.put_file(path, self._format or extension(path, self.SUPPORTED_TYPES) or "pdb"))


def _chem() -> Any:
    return require("rdkit.Chem", feature="Molecule in space", package="rdkit")


def _from_smiles(text: str, sanitize: bool, iterations: int) -> bytes:
    return _block(_chem().MolFromSmiles(text, sanitize=sanitize), iterations)


def _from_binary(data: bytes, iterations: int | None) -> bytes:
    return _block(_chem().Mol(data), iterations)


def _from_file(data: Any, iterations: int | None) -> bytes:
    path = checked_path(data, "Molecule")
    is_one = path.suffix == ".mol"
    return _block(
        _chem().MolFromMolFile(str(path)) if is_one else next(_chem().SDMolSupplier(str(path)), None), iterations
    )


def _block(molecule: Any, iterations: int | None) -> bytes:
    """Return the PDB of a molecule of rdkit's, after it was given places in space where that is wanted."""
    chem = _chem()
    if molecule is None:
        message = "rdkit cannot read that as a molecule."
        raise UsageError(message)
    if iterations is not None:
        places = require("rdkit.Chem.AllChem", feature="Molecule in space", package="rdkit")
        molecule = chem.AddHs(molecule)
        places.EmbedMolecule(molecule, randomSeed=0)
        places.MMFFOptimizeMolecule(molecule, maxIters=iterations)
    return chem.MolToPDBBlock(molecule).encode()
