import pytest

from codesign.errors import ConfigError
from codesign.plugins import blame, build, find_class


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


def test_an_unknown_option_has_a_hint():
    class Takes(Base):
        def __init__(self, size, *, layer, start=1):
            self.all = (size, layer, start)
            if start < 0:
                raise ValueError("start must be 0 or more")

    def made(**options):
        return build(Takes, 3, what="thing", name="own", options=options, layer="l0")

    assert made(start=4).all == (3, "l0", 4)
    with pytest.raises(ConfigError, match="thing 'own' does not take the option 'strat'. Did you mean \"start\""):
        made(strat=4)
    with pytest.raises(ConfigError, match="does not take the option 'layer'. It takes start."):
        made(layer=4)
    with pytest.raises(ConfigError, match="does not take these options: start must be 0 or more"):
        made(start=-1)


def test_an_error_inside_a_users_class_is_his(tmp_path):
    (tmp_path / "faulty.py").write_text(
        f"from {__name__} import Base\nclass Faulty(Base):\n    def run(self):\n        return [][1]\n"
    )
    faulty = find(f"{tmp_path}/faulty.py:Faulty")
    with pytest.raises(IndexError) as caught:
        faulty().run()
    told = blame(caught.value)
    assert told and "faulty.py:4: in Faulty.run, a class of your own: IndexError: list index out of range" in told
    assert blame(IndexError("ours")) is None
