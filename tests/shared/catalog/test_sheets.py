from shared.catalog.sheets import entries_of
from shared.sheets import CSV


def test_a_sheet_says_nothing_of_what_its_cells_leave_empty() -> None:
    sheet = "slug,title,description,sku,price_minor\nmug,Mug,,MUG,895\ntin,Tin,Red.,TIN,450\n"

    mug, tin = (entry.content for entry in entries_of(CSV, sheet.encode()))

    assert mug is not None
    assert mug.model_fields_set == {"slug", "title", "variants"}
    assert tin is not None
    assert tin.description == "Red."


def test_the_columns_of_attributes_say_all_that_there_are() -> None:
    sheet = "slug,title,attribute:colour,sku,price_minor\nmug,Mug,,MUG,895\ntin,Tin,red,TIN,450\n"

    mug, tin = (entry.content for entry in entries_of(CSV, sheet.encode()))

    assert mug is not None
    assert "attributes" in mug.model_fields_set
    assert mug.attributes == {}
    assert tin is not None
    assert tin.attributes == {"colour": "red"}
