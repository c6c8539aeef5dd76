import pytest

from codesign.errors import ConfigError
from codesign.nn.plugins import find_class


class Base:
    pass


class Own(Base):
    pass


def find(name):
    return find_class(name, Base, known={"own": Own}, what="thing")


def test_names_modules_and_files(tmp_path, monkeypatch):
    assert find("own") is Own
    assert find(f"{__name__}:Own") is Own
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(f"from {__name__} import Base\nclass Third(Base):\n    pass\n")
    third = find("mine.py:Third")
    assert issubclass(third, Base)
    assert find(f"{tmp_path}/mine.py:Third") is third


def test_what_cannot_be_found_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no thing 'owm'. Did you mean \"own\""):
        find("owm")
    with pytest.raises(ConfigError, match="cannot import 'no_such_module'"):
        find("no_such_module:Own")
    with pytest.raises(ConfigError, match="has no 'Absent'"):
        find(f"{__name__}:Absent")
    with pytest.raises(ConfigError, match="must be a subclass"):
        find("pathlib:Path")
    with pytest.raises(ConfigError, match="cannot import"):
        find(f"{tmp_path}/absent.py:Own")
    (tmp_path / "broken.py").write_text("def\n")
    with pytest.raises(ConfigError, match="cannot import"):
        find(f"{tmp_path}/broken.py:Own")
