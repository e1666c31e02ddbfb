import pytest

from pipeline.errors import CohortError
from pipeline.training.cohort.feature_names import check_feature_names, common_feature_names


def test_all_slides_have_the_features_of_the_first():
    assert common_feature_names({"a": ("x", "y"), "b": ("x", "y")}) == ("x", "y")
    assert common_feature_names({}) == ()


def test_differing_features_name_the_slide_and_the_first_difference():
    with pytest.raises(CohortError, match=r"slide b: its 3 features .* 2 of slide a: feature 1 is 'z' instead of 'y'"):
        common_feature_names({"a": ("x", "y"), "b": ("x", "z", "y")})


def test_one_feature_too_few_or_too_many_is_told_where_it_is():
    with pytest.raises(CohortError, match=r"new: its 1 features .* 2 of model: feature 1 is 'missing' instead of 'y'"):
        check_feature_names(["x"], ["x", "y"], "new", "model")
    with pytest.raises(CohortError, match="feature 2 is 'z' instead of 'nothing'"):
        check_feature_names(["x", "y", "z"], ["x", "y"], "new", "model")
    check_feature_names(["x", "y"], ("x", "y"), "new", "model")
