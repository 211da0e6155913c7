"""What a path says of the files in it."""

import pytest

from tocsin.gitops.template import Place, place

TEMPLATE = "kubernetes/apps/{namespace}/{app}/**"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("kubernetes/apps/media/sonarr/app/x.yaml", Place("media", "sonarr")),
        ("kubernetes/apps/media/sonarr/x.yaml", Place("media", "sonarr")),
        ("kubernetes/apps/media/x.yaml", Place()),
        ("other/kubernetes/apps/media/sonarr/x.yaml", Place()),
        ("clusters/a/media/x.yaml", Place("media")),
    ],
)
def test_a_path_template(path: str, found: Place) -> None:
    assert place(path, (TEMPLATE, "clusters/*/{namespace}/*.yaml")) == found


@pytest.mark.parametrize(
    "template", ["apps/**", "{namespace}/{namespace}", "{namespace}/{app}/{app}", "{namespace}/**/*/*/*/*"]
)
def test_an_unusable_template(template: str) -> None:
    with pytest.raises(ValueError, match="path template"):
        place("x", (template,))
