"""Molecules: files of the usual formats, SMILES, molecules of rdkit's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from runhaven.errors import UsageError
from runhaven.media.kind import Media, lenient
from runhaven.media.source import checked_path, extension, is_path, read_stream
from runhaven.missing import require

if TYPE_CHECKING:
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
        sanitize: bool = True,  # noqa: ARG003 - W&B's argument; the text is kept as it is
        convert_to_3d_and_optimize: bool = True,  # noqa: ARG003
        mmff_optimize_molecule_max_iterations: int = 200,  # noqa: ARG003
    ) -> Molecule:
        """Take a molecule's SMILES, which is kept as text."""
        return cls(_Text(data), caption, file_type="smi")

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
            data_or_path: The molecule or the path.
            caption: A line of text.
            convert_to_3d_and_optimize: Whether rdkit finds places for the atoms.
            mmff_optimize_molecule_max_iterations: How long it looks for better ones.
        """
        chem = require("rdkit.Chem", feature="Molecule.from_rdkit", package="rdkit")
        molecule = data_or_path
        if is_path(data_or_path):
            path = checked_path(data_or_path, "Molecule")
            molecule = chem.MolFromMolFile(str(path)) if path.suffix == ".mol" else next(chem.SDMolSupplier(str(path)))
        if convert_to_3d_and_optimize:
            places = require("rdkit.Chem.AllChem", feature="Molecule.from_rdkit", package="rdkit")
            molecule = chem.AddHs(molecule)
            places.EmbedMolecule(molecule)
            places.MMFFOptimizeMolecule(molecule, maxIters=mmff_optimize_molecule_max_iterations)
        return cls(_Text(chem.MolToPDBBlock(molecule)), caption, file_type="pdb")

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
        """Keep the file or the text."""
        if self._content is not None:
            return self.described(sink.put(self._content, self._format or "pdb"))
        path = checked_path(self._path, "Molecule")
        return self.described(sink.put_file(path, self._format or extension(path, self.SUPPORTED_TYPES) or "pdb"))


class _Text:
    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> str:
        return self._text
